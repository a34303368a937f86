//! The names that migrations create, and that another table cannot have.

/// The lower-case names of the tables, views, indexes and sequences that the statements create. In PostgreSQL they share one
/// namespace, and each table has an index `{table}_pkey`.
pub(super) fn created_by(statements: &str) -> Vec<String> {
    let code: String = statements
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .fold(String::new(), |code, line| code + line + "\n");
    let code = code.to_ascii_lowercase().replace(['(', ';'], " ");
    let mut words = code.split_whitespace();
    let mut created = Vec::new();
    while words.any(|word| word == "create") {
        const MODIFIERS: [&str; 8] =
            ["or", "replace", "temp", "temporary", "unique", "unlogged", "virtual", "materialized"];
        let Some(kind) = words.by_ref().find(|word| !MODIFIERS.contains(word)) else { break };
        let is_relation = ["table", "view", "index", "sequence"].contains(&kind);
        let Some(name) = words.by_ref().find(|word| !["concurrently", "if", "not", "exists"].contains(word)) else {
            break;
        };
        if is_relation {
            let name = name.rsplit('.').next().unwrap_or(name).trim_matches(['"', '`', '[', ']']);
            created.push(name.to_owned());
            if kind == "table" {
                created.push(format!("{name}_pkey"));
            }
        }
    }
    created
}

#[cfg(test)]
mod tests {
    use super::created_by;

    #[test]
    fn created_names_are_found_in_any_notation() {
        let statements = "-- CREATE TABLE commented (x);\ncreate table if not exists\n  \"Stock\"(id TEXT);\n\
                          CREATE UNIQUE INDEX stock_id ON stock (id); CREATE TABLE main.lines (id TEXT);\n\
                          CREATE TRIGGER t AFTER INSERT ON stock BEGIN SELECT 1; END;";
        assert_eq!(created_by(statements), ["stock", "stock_pkey", "stock_id", "lines", "lines_pkey"]);
        assert!(created_by("DROP TABLE stock; CREATE").is_empty());
    }
}
