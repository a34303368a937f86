//! The words of sensitive keys, and of keys that only describe a secret.

/// Keys whose values are never recorded. Each matches a sequence of complete words: `pin` matches `user_pin`, not
/// `shipping`.
pub(crate) const SENSITIVE: &str = "password passwords passwd passwds passphrase passphrases pwd passcode passcodes \
    pass_word pass_phrase pass_code pw pswd pin otp totp mfa secret secrets secretkey  token tokens jwt \
    bearer authorization auth_header cookie cookies session_id session_ids sessionid sessionkey session_key sid csrf xsrf \
    api_key api_keys apikey apikeys access_key access_keys accesskey private_key private_keys privatekey \
    signing_key signing_keys signingkey encryption_key encryption_keys encryptionkey master_key masterkey account_key \
    recovery_code recovery_codes backup_code backup_codes device_code user_code code_verifier verification_code \
    auth_code authcode one_time_code credential credentials card_number card_numbers cardnumber credit_card credit_cards \
    cvv cvc iban account_number account_numbers routing_number ssn social_security tax_id \
    db_pass user_pass mysql_pass postgres_pass pg_pass sql_pass redis_pass mongo_pass smtp_pass imap_pass mail_pass \
    email_pass ftp_pass ssh_pass ldap_pass admin_pass root_pass auth_pass basic_pass proxy_pass http_pass login_pass \
    passwort passwörter kennwort contraseña contraseñas contrasena contrasenas senha senhas mot_de_passe motdepasse \
    wachtwoord lösenord adgangskode salasana hasło haslo heslo jelszó şifre пароль пароли 密码 密碼 口令 パスワード 비밀번호";

/// The beginnings of words such as `accesstoken` and `userpassword`.
pub(crate) const JOINED_BEFORE: [&str; 32] = [
    "access",
    "refresh",
    "id",
    "auth",
    "client",
    "user",
    "db",
    "new",
    "old",
    "current",
    "session",
    "csrf",
    "xsrf",
    "api",
    "bearer",
    "admin",
    "root",
    "login",
    "account",
    "my",
    "master",
    "app",
    "consumer",
    "webhook",
    "shared",
    "device",
    "reset",
    "bot",
    "oauth",
    "database",
    "identity",
    "csrfmiddleware",
];

/// The ends of such words.
pub(crate) const JOINED: [&str; 7] = ["token", "tokens", "secret", "secrets", "password", "passwd", "pass"];

/// A key that ends with one of these describes a secret and is not one: `token_type`, `password_changed_at`. Its other
/// words are a sensitive key.
pub(crate) const DESCRIBING: &str = "type types endpoint endpoints supported count counts enabled disabled required at \
    expires expiry expiration ttl lifetime age length policy check checks checked name names status state strength format \
    algorithm alg algs method methods present configured verified valid version rotation limit limits used remaining \
    usage size total per attempts attempt failures hint_enabled created updated changed issuer scope scopes scheme \
    header label prefix seconds secs minutes hours days ms millis in time lifespan ref refs arn left policies details \
    alerts scanning error errors exception";

/// Keys whose sensitive word stands for something else: cursors of lists, counts of words, and policies.
pub(crate) const HARMLESS: &str = "page_token next_page_token prev_page_token previous_page_token next_token \
    prev_token continuation_token sync_token max_tokens min_tokens prompt_tokens completion_tokens total_tokens \
    input_tokens output_tokens cached_tokens reasoning_tokens audio_tokens num_tokens cookie_policy_url \
    cookie_policy_uri password_policy_url max_completion_tokens max_output_tokens max_new_tokens tokens_per_minute \
    tokens_per_second last_password_reset last_password_change token_uri token_url image_pull_secrets username_token";

/// Keys below which a text that reads like a sentence is a message, and not a secret.
pub(crate) const ERRORS: [&str; 3] = ["errors", "error", "violations"];

/// Keys that contain the name of another value in the same object.
pub(crate) const NAMES: [&str; 7] = ["name", "key", "field", "property", "parameter", "variable", "loc"];

/// Keys that contain the value with that name.
pub(crate) const VALUES: [&str; 5] = ["value", "input", "actual", "rejectedValue", "rejected_value"];

/// The key around the logins of container registries, of which `auth` is a credential.
pub(crate) const REGISTRIES: &str = "auths";

/// The key that each JSON Web Key has; other keys of such an object are private.
pub(crate) const KEY_TYPE: &str = "kty";

/// Names of parameters that are secrets in the query of a URL, in addition to sensitive keys.
pub(crate) const QUERY: [&str; 3] = ["code", "key", "hmac"];

/// The last word of parameters that sign a URL.
pub(crate) const SIGNATURES: [&str; 2] = ["sig", "signature"];

/// The first words of a sentence about a secret. An unquoted value that is one of these and is followed by more words is
/// no secret: `password: must be at least 12 characters`.
pub(crate) const SENTENCE: &str = "a about above absent add address all already also always an and any are aren't as at \
    authentication authorization bad be been before being below between but by can can't cannot change check choose client credential credentials \
    confirmation connection contains converting could couldn't creating deleting denied did didn't do does doesn't don't due either \
    empty enter error every exceeded exceeds expected expired expires failed failing failure fetching for forbidden format \
    found from got had has have header help if in incorrect insufficient invalid is isn't issued it its key length line lookup \
    malformed may maximum might minimum mismatch mismatched missing more must need needs neither never new no none nor not \
    null of on only or or-else parameter parse parsing permission please provided reading received rejected request require \
    required requires reset reuse revoked see server service set should signature so some such than that the their then \
    there these this timeout to token tokens too try unable unauthorized unexpected unknown unreadable unsupported updated use used user \
    using validation value verification verify was wasn't were when which while will with within without won't wrong you \
    your";

#[cfg(test)]
mod tests {
    use super::*;
    use test_harness::documents::check;

    /// The words, in lines of a document's width.
    fn block(words: &str) -> String {
        let mut lines = vec![String::new()];
        for word in words.split_whitespace() {
            if lines.last().is_some_and(|line| line.len() + word.len() > 120) {
                lines.push(String::new());
            }
            let line = lines.last_mut().expect("begins with one");
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
        format!("```text\n{}\n```\n", lines.join("\n"))
    }

    #[test]
    fn documents_list_the_words() {
        check("docs/CONTRACT.md", "sensitive keys", &block(SENSITIVE), "cyanotype-redact");
        check("docs/SECURITY.md", "describing words", &block(DESCRIBING), "cyanotype-redact");
        check("docs/SECURITY.md", "sentence words", &block(SENTENCE), "cyanotype-redact");
    }
}
