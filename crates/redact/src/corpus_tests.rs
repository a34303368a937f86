//! The corpus in `corpus/`: bodies, error texts and URLs of documented shapes, with their secrets and ordinary values
//! marked. No secret may be shown, and few ordinary values may be hidden.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use crate::replaced::replaced_ranges;
use crate::{Content, REDACTED, Redactor, Rule, Syntax};

/// The share of ordinary values that may be hidden, in percent.
const MAX_NEEDLESS: usize = 3;
/// The share of findings that may name no key and no pattern, in percent.
const MAX_UNCERTAIN: usize = 3;
/// Separates a token in a file, so that scanners of repositories do not take it for a real one.
const SPLITTER: char = '¦';

struct Sample {
    name: String,
    /// A content type, or the part of a request: `query`, `path`, `header`.
    kind: String,
    text: String,
    secrets: Vec<Range<usize>>,
    values: Vec<Range<usize>>,
}

impl Sample {
    /// A file has two lines of header, `# type:` and `# source:`, and then the text with marks in it:
    /// `⟦secret:…⟧` and `⟦value:…⟧`.
    fn read(path: &Path) -> Self {
        let file = std::fs::read_to_string(path).expect("a sample is readable");
        let (header, marked) = file.split_once("\n# source: ").expect("the second line is the source");
        let kind = header.strip_prefix("# type: ").expect("the first line is the type").to_owned();
        let (_, marked) = marked.split_once('\n').expect("a text follows the header");
        let marked = marked.strip_suffix('\n').expect("the file ends with a line feed");
        let name = path.file_name().expect("is a file").to_string_lossy().into_owned();
        let mut sample = Self { name, kind, text: String::new(), secrets: Vec::new(), values: Vec::new() };
        let mut rest = marked;
        while let Some((before, mark)) = rest.split_once('⟦') {
            sample.text.push_str(before);
            let (mark, after) = mark.split_once('⟧').expect("a mark is closed");
            let (what, marked) = mark.split_once(':').expect("a mark has a name");
            let start = sample.text.len();
            sample.text.push_str(&marked.replace(SPLITTER, ""));
            let range = start..sample.text.len();
            match what {
                "secret" => sample.secrets.push(range),
                "value" => sample.values.push(range),
                _ => panic!("{}: unknown mark {what}", sample.name),
            }
            rest = after;
        }
        sample.text.push_str(rest);
        assert!(!sample.text.contains(['⟦', '⟧', SPLITTER]), "{}: a mark is broken", sample.name);
        sample
    }

    fn syntax(&self) -> Syntax {
        match self.kind.as_str() {
            "application/x-www-form-urlencoded" => Syntax::Form,
            "application/x-ndjson" => Syntax::Json,
            json if json == "application/json" || json.ends_with("+json") => Syntax::Json,
            _ => Syntax::Text,
        }
    }

    fn shown(&self, redactor: &Redactor) -> String {
        match self.kind.as_str() {
            "query" => redactor.query(&self.text),
            "path" => redactor.path(&self.text).into_owned(),
            "header" => redactor.header(&self.text).into_owned(),
            _ => content(redactor, &self.text, self.syntax()),
        }
    }

    /// The secrets of which the output shows something, and the ordinary values of which it hides something.
    fn mistakes(&self, shown: &str) -> (Vec<&str>, Vec<&str>) {
        let replaced = replaced_ranges(&self.text, shown);
        let is_word = |range: Range<usize>| self.text[range].contains(char::is_alphanumeric);
        let is_missed = |secret: &Range<usize>| match &replaced {
            _ if secret.len() > 5 && shown.contains(&self.text[secret.clone()]) => true,
            // What is shown of the secret: the parts between the ranges.
            Some(ranges) => {
                let mut at = secret.start;
                let mut is_shown = false;
                for range in ranges.iter().filter(|range| range.start < secret.end && range.end > secret.start) {
                    is_shown |= range.start > at && is_word(at..range.start);
                    at = range.end;
                }
                is_shown || at < secret.end && is_word(at..secret.end)
            }
            None => shown.contains(&self.text[secret.clone()]),
        };
        let is_hidden = |value: &Range<usize>| match &replaced {
            Some(ranges) => ranges.iter().any(|range| {
                let hidden = range.start.max(value.start)..range.end.min(value.end);
                hidden.start < hidden.end && is_word(hidden)
            }),
            None => !shown.contains(&self.text[value.clone()]),
        };
        let texts = |ranges: &[Range<usize>], is_mistake: &dyn Fn(&Range<usize>) -> bool| {
            ranges.iter().filter(|range| is_mistake(range)).map(|range| &self.text[range.clone()]).collect()
        };
        (texts(&self.secrets, &is_missed), texts(&self.values, &is_hidden))
    }
}

fn samples(directory: &str) -> Vec<Sample> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(directory);
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).expect("is there").map(|entry| entry.expect("is readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| Sample::read(path)).collect()
}

fn all_samples() -> Vec<Sample> {
    ["bodies", "errors", "urls"].into_iter().flat_map(samples).collect()
}

fn content(redactor: &Redactor, text: &str, syntax: Syntax) -> String {
    let Content { text, truncated } = redactor.content(text.as_bytes(), syntax, usize::MAX / 2, true);
    assert!(!truncated);
    text.into_owned()
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are the point of the test")]
fn secrets_of_the_corpus_are_hidden_and_values_are_shown() {
    let redactor = Redactor::default();
    let (mut secrets, mut values, mut missed, mut needless) = (0, 0, 0, 0);
    for sample in all_samples() {
        let shown = sample.shown(&redactor);
        let (shown_secrets, hidden_values) = sample.mistakes(&shown);
        secrets += sample.secrets.len();
        values += sample.values.len();
        missed += shown_secrets.len();
        needless += hidden_values.len();
        if !shown_secrets.is_empty() || !hidden_values.is_empty() {
            println!(
                "{}: {} missed {shown_secrets:?}, {} needless {hidden_values:?}\n    {shown}",
                sample.name,
                shown_secrets.len(),
                hidden_values.len()
            );
        }
    }
    println!("{missed} of {secrets} secrets missed, {needless} of {values} ordinary values hidden needlessly");
    assert_eq!(missed, 0, "secrets are shown");
    assert!(needless * 100 < values * MAX_NEEDLESS, "{needless} of {values} ordinary values are hidden");
}

#[test]
fn the_corpus_is_large_enough() {
    let count = |directory| samples(directory).len();
    let marks = |marks: fn(&Sample) -> usize| all_samples().iter().map(marks).sum::<usize>();
    assert!(count("bodies") >= 40 && count("errors") >= 60);
    assert!(marks(|sample| sample.secrets.len()) >= 250 && marks(|sample| sample.values.len()) >= 800);
}

#[test]
fn redacted_json_of_the_corpus_has_the_same_structure() {
    let redactor = Redactor::default();
    let mut documents = 0;
    for sample in samples("bodies").iter().filter(|sample| sample.syntax() == Syntax::Json) {
        let shown = content(&redactor, &sample.text, Syntax::Json);
        let Some(before) = parsed(&sample.text) else { continue };
        let after = parsed(&shown).unwrap_or_else(|| panic!("{}: is no longer JSON: {shown}", sample.name));
        assert!(has_structure_of(&after, &before), "{}: {shown}", sample.name);
        documents += 1;
    }
    assert!(documents >= 40, "{documents}");
}

/// The documents of newline-delimited JSON; `None` if the text is not JSON.
fn parsed(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().collect::<Result<_, _>>().ok()
}

/// Whether a redacted document differs in redacted values alone.
fn has_structure_of(after: &Value, before: &Value) -> bool {
    match (after, before) {
        (Value::String(shown), _) if shown.contains(REDACTED) => true,
        (Value::Object(after), Value::Object(before)) => {
            after.keys().eq(before.keys()) && after.values().zip(before.values()).all(|(a, b)| has_structure_of(a, b))
        }
        (Value::Array(after), Value::Array(before)) => {
            after.len() == before.len()
                && after.iter().zip(before).all(|(after, before)| has_structure_of(after, before))
        }
        (after, before) => after == before,
    }
}

#[test]
fn findings_of_the_corpus_name_a_rule_and_show_no_secret() {
    let redactor = Redactor::default();
    let (mut all, mut uncertain) = (0, 0);
    for sample in ["bodies", "errors"].into_iter().flat_map(samples) {
        let findings = redactor.findings(sample.text.as_bytes(), sample.syntax());
        assert!(!findings.is_empty() || sample.secrets.is_empty(), "{}", sample.name);
        for finding in &findings {
            let shown = format!("{finding:?}");
            let secret = sample.secrets.iter().map(|range| &sample.text[range.clone()]).find(|it| shown.contains(*it));
            assert_eq!(secret, None, "{}: {shown}", sample.name);
        }
        all += findings.len();
        uncertain += findings.iter().filter(|finding| finding.rule == Rule::Uncertain).count();
    }
    assert!(uncertain * 100 < all * MAX_UNCERTAIN, "{uncertain} of {all} findings name no rule");
}

#[test]
fn an_error_text_reads_the_same_in_every_sink_and_field() {
    let redactor = Redactor::default();
    let mut differing = BTreeMap::new();
    for sample in samples("errors") {
        let mut message = sample.text.clone();
        redactor.text_in_place(&mut message);
        let mut field = Value::String(sample.text.clone());
        redactor.data(&mut field);
        let header = redactor.header(&sample.text).into_owned();
        let body = content(&redactor, &sample.text, Syntax::Text);
        if field != message || header != message || body != message {
            differing.insert(sample.name, [message, field.to_string(), header, body]);
        }
    }
    assert!(differing.is_empty(), "{} texts differ: {differing:#?}", differing.len());
}
