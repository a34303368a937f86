//! Escapes any text: the JSON string parses back, and neither format contains hostile characters or supervisord's mark.
#![no_main]

use cyanotype_redact::escape;
use libfuzzer_sys::fuzz_target;

fn check(shown: &str) {
    assert!(!shown.chars().any(|c| escape::is_hostile(c)), "{shown:?}");
    assert!(!shown.contains("<!--XSUPERVISOR"), "{shown}");
}

fuzz_target!(|text: &str| {
    let mut line = Vec::new();
    escape::json_string(text, &mut line);
    let line = String::from_utf8(line).expect("stays UTF-8");
    check(&line);
    assert_eq!(serde_json::from_str::<String>(&line).expect("is JSON"), text);

    let mut shown = String::new();
    escape::visible(text, false, &mut shown);
    check(&shown);
    let mut block = String::new();
    escape::visible(text, true, &mut block);
    check(&block.replace(['\n', '\t'], " "));
});
