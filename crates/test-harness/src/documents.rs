//! The generated parts of documents: each is compared with what a test generates, or written when `UPDATE_DOCUMENTS` is set.

use std::sync::{Mutex, PoisonError};

use crate::scratch;

/// Tests of one document run at the same time, and each writes the complete file.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Compares the text between `<!-- NAME -->` and `<!-- end of NAME -->` with `expected`. `package` has the test that calls it.
#[track_caller]
pub fn check(document: &str, name: &str, expected: &str, package: &str) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = scratch::workspace().join(document);
    let text = scratch::read(&path);
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("{document} has no {begin}")) + begin.len();
    let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("{document} has no {end}"));
    if &text[from..to] == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCUMENTS").is_some(),
        "{document} is out of date: run `UPDATE_DOCUMENTS=1 cargo test -p {package} documents`\n{expected}"
    );
    scratch::write(&path, format!("{}{expected}{}", &text[..from], &text[to..]));
}
