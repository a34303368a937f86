//! The table of `app doctor`'s checks in docs/OPERATIONS.md.

use cyanotype::checks::CHECKS;

use super::check;
use super::operations::rows;

#[test]
fn the_checks_are_those_of_the_code() {
    let or_none = |text: &'static str| if text.is_empty() { "–" } else { text };
    let lines = CHECKS.iter().map(|check| {
        let [warns, fails, at_start] = [check.warns, check.fails, check.at_start].map(or_none);
        format!("| `{}` | {} | {warns} | {fails} | {at_start} |", check.name, check.about)
    });
    check("docs/OPERATIONS.md", "checks", &rows("| check | looks at | WARN | FAIL | a start |", lines));
}
