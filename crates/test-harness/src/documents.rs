//! The generated parts of documents: the text between `<!-- NAME -->` and `<!-- end of NAME -->`.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::scratch;

/// Tests of one document run at the same time, and each writes the complete file.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Replaces a generated part.
///
/// # Errors
/// When the document has no such part.
pub fn update(document: &str, name: &str, text: &str) -> Result<(), String> {
    let path = scratch::workspace().join(document);
    let before = scratch::read(&path);
    let part = part(document, &before, name)?;
    scratch::write(&path, format!("{}{text}{}", &before[..part.start], &before[part.end..]));
    Ok(())
}

/// Compares a generated part with `expected`, or writes it when `UPDATE_DOCUMENTS` is set. `package` has the test that calls it.
#[track_caller]
pub fn check(document: &str, name: &str, expected: &str, package: &str) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let text = scratch::read(&scratch::workspace().join(document));
    let part = part(document, &text, name).unwrap_or_else(|why| panic!("{why}"));
    if &text[part] == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCUMENTS").is_some(),
        "{document} is out of date: run `UPDATE_DOCUMENTS=1 cargo test -p {package} documents`\n{expected}"
    );
    update(document, name, expected).unwrap_or_else(|why| panic!("{why}"));
}

fn part(document: &str, text: &str, name: &str) -> Result<Range<usize>, String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let missing = || format!("{document} has no `{}` followed by `{end}`", begin.trim());
    let from = text.find(&begin).ok_or_else(missing)? + begin.len();
    let to = from + text[from..].find(&end).ok_or_else(missing)?;
    Ok(from..to)
}
