//! Secrets of each supported form, with made-up values. They are assembled at run time: no scanner finds them in this file.

/// A secret and the text that it stands in.
pub struct Plant {
    /// What no output may show.
    pub secret: String,
    /// What a client or an application writes.
    pub text: String,
    /// Whether a scanner knows the form; otherwise only the service does.
    pub is_known: bool,
}

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const HEX: &str = "0123456789abcdef";
const DIGITS: &str = "0123456789";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Values that look random, the same in each run: scanners ignore sequences and repetitions.
struct Values(u64);

impl Values {
    fn next(&mut self, alphabet: &str, length: usize) -> String {
        let letters = alphabet.as_bytes();
        let letter = |_| {
            // The constants of Knuth's MMIX; its upper bits are the random ones.
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(letters[(self.0 >> 33) as usize % letters.len()])
        };
        (0..length).map(letter).collect()
    }
}

/// A plant of each form.
pub fn plants() -> Vec<Plant> {
    let mut values = Values(17);
    let mut plants = vec![];
    let mut add = |before: &str, secret: String, after: &str, is_known: bool| {
        plants.push(Plant { text: format!("{before}{secret}{after}"), secret, is_known });
    };

    let mut token = |prefix: &str, alphabet: &str, length| prefix.to_owned() + &values.next(alphabet, length);
    add("", token("AKIA", UPPER, 16), "", true);
    for prefix in ["ghp_", "gho_", "ghs_"] {
        add("", token(prefix, LETTERS, 36), "", true);
    }
    add("", token("github_pat_", LETTERS, 82), "", true);
    add("", token("glpat-", LETTERS, 20), "", true);
    add("", token("xoxb-1", DIGITS, 11) + &token("-3", DIGITS, 11) + &token("-", LETTERS, 24), "", true);
    let hook = ["T", "B", ""].map(|prefix| token(prefix, LETTERS, if prefix.is_empty() { 24 } else { 9 })).join("/");
    add("https://hooks.slack.com/services/", hook, "", true);
    add("", token("sk_live_", LETTERS, 24), "", true);
    add("", token("AIza", LETTERS, 35), "", false);
    add("", token("sk-", LETTERS, 20) + &token("T3BlbkFJ", LETTERS, 20), "", true);
    add("", token("sk-ant-api03-", LETTERS, 93) + "AA", "", true);
    add("", token("SG.", LETTERS, 22) + &token(".", LETTERS, 43), "", true);
    add("", token("SK", HEX, 32), "", true);
    add("", token("npm_", LETTERS, 36), "", true);
    add("", token("pypi-AgEIcHlwaS5vcmc", LETTERS, 100), "", true);
    add("AccountKey=", token("", LETTERS, 86) + "==", "", true);
    add("https://x.blob.core.windows.net/c/f?sv=2024-11-04&sig=", token("", LETTERS, 43) + "%3D", "&sp=r", false);
    add("https://x.s3.amazonaws.com/f?X-Amz-Signature=", token("", HEX, 64), "&X-Amz-Expires=60", false);
    add("", token("7", DIGITS, 9) + &token(":AA", LETTERS, 33), "", true);
    // {"alg":"HS256","typ":"JWT"} and {"sub":"1234567890","name":"John Doe"}.
    let jwt =
        ["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0."].concat();
    add("", token(&jwt, LETTERS, 43), "", true);
    add("authorization: Bearer ", token("", LETTERS, 40), "", false);
    add("authorization: Basic ", token("", LETTERS, 23) + "=", "", false);
    add("postgres://app:", token("", LETTERS, 20), "@db.example.org/orders", true);
    add("https://deploy:", token("", LETTERS, 20), "@git.example.org/shop.git", true);
    add("amqp://guest:", token("", LETTERS, 20), "@queue.example.org", true);
    for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
        let lines: Vec<String> = (0..4).map(|n| token(if n == 0 { "MI" } else { "" }, LETTERS, 62)).collect();
        add(&format!("-----BEGIN {kind}-----\n"), lines.join("\n"), &format!("\n-----END {kind}-----"), true);
    }
    add("", token("AGE-SECRET-KEY-1", UPPER, 58), "", false);
    add("password=\"", token("", LETTERS, 16), "\"", true);
    add("client_secret: '", token("", LETTERS, 32), "'", true);
    add("api_key = \"", token("", LETTERS, 32), "\"", true);
    add("DB_PASSWORD=", token("", LETTERS, 16), "", false);
    add("{\"password\": \"", token("", LETTERS, 16), "\", \"user\": \"ada\"}", true);
    add("session_id=", token("", LOWER, 32), "", false);
    add("?access_token=", token("", LETTERS, 32), "&page=2", false);
    plants
}
