//! Generated sections of documents.

use test_harness::scratch;

/// Replaces the text between `<!-- NAME -->` and `<!-- end of NAME -->`.
pub fn update(document: &str, name: &str, text: &str) -> Result<(), String> {
    let path = scratch::workspace().join(document);
    let before = scratch::read(&path);
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let missing = || format!("{document} has no `{}` followed by `{end}`", begin.trim());
    let from = before.find(&begin).ok_or_else(missing)? + begin.len();
    let to = from + before[from..].find(&end).ok_or_else(missing)?;
    scratch::write(&path, format!("{}{text}{}", &before[..from], &before[to..]));
    Ok(())
}
