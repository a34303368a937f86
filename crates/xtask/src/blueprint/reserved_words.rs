//! Keywords of Rust and SQL, which cannot be names.

/// The keywords of Rust, including reserved ones.
const RUST: &str = "abstract as async await become box break const continue crate do dyn else enum extern false final fn for \
    gen if impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true try \
    type typeof unsafe unsized use virtual where while yield";

/// The words that SQLite or PostgreSQL does not accept as an unquoted table or column name.
const SQL: &str = "add all alter analyse analyze and any array as asc asymmetric authorization autoincrement between binary \
    both case cast check cmax cmin collate collation column commit concurrently constraint create cross ctid \
    current_catalog current_date current_role current_schema current_time current_timestamp current_user default \
    deferrable delete desc distinct do drop else end escape except exists false fetch for foreign freeze from full grant \
    group having if ilike in index initially inner insert intersect into is isnull join lateral leading left like limit \
    localtime localtimestamp natural not nothing notnull null offset on only or order outer overlaps placing primary raise \
    references returning right select session_user set similar some symmetric table tableoid tablesample then to trailing \
    transaction true union unique update user using values variadic verbose when where window with xmax xmin";

/// The language in which the word is a keyword, with its article.
pub(super) fn language(word: &str) -> Option<&'static str> {
    let is_in = |list: &str| list.split_whitespace().any(|other| other == word);
    if is_in(RUST) {
        return Some("a Rust");
    }
    is_in(SQL).then_some("an SQL")
}

/// Whether the text consists of lower-case ASCII words joined by the separator, starting with a letter.
pub(super) fn are_joined_by(text: &str, separator: char) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split(separator).all(is_word)
}
