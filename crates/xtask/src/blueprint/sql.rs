//! What migrations make: the names that another table can no longer have.

/// The tables, views, indexes and so on that these statements create, in lower case. PostgreSQL has one list of names for all
/// of them, and adds an index to each table.
pub(super) fn made_by(statements: &str) -> Vec<String> {
    let code: String = statements
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .fold(String::new(), |code, line| code + line + "\n");
    let code = code.to_ascii_lowercase().replace(['(', ';'], " ");
    let mut words = code.split_whitespace();
    let mut made = Vec::new();
    while words.any(|word| word == "create") {
        const BEFORE: [&str; 8] =
            ["or", "replace", "temp", "temporary", "unique", "unlogged", "virtual", "materialized"];
        let Some(kind) = words.by_ref().find(|word| !BEFORE.contains(word)) else { break };
        let is_relation = ["table", "view", "index", "sequence"].contains(&kind);
        let Some(name) = words.by_ref().find(|word| !["concurrently", "if", "not", "exists"].contains(word)) else {
            break;
        };
        if is_relation {
            let name = name.rsplit('.').next().unwrap_or(name).trim_matches(['"', '`', '[', ']']);
            made.push(name.to_owned());
            if kind == "table" {
                made.push(format!("{name}_pkey"));
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::made_by;

    #[test]
    fn names_are_found_however_they_are_written() {
        let statements = "-- CREATE TABLE commented (x);\ncreate table if not exists\n  \"Stock\"(id TEXT);\n\
                          CREATE UNIQUE INDEX stock_id ON stock (id); CREATE TABLE main.lines (id TEXT);\n\
                          CREATE TRIGGER t AFTER INSERT ON stock BEGIN SELECT 1; END;";
        assert_eq!(made_by(statements), ["stock", "stock_pkey", "stock_id", "lines", "lines_pkey"]);
        assert!(made_by("DROP TABLE stock; CREATE").is_empty());
    }
}
