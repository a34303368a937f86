//! Frames of binaries with and without debug information: which are in_app, and what a debug file needs to name them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;

use crate::support::{exceptions, probe_app, run};

/// The event of a failure of a new service.
fn event(binary: &Path, env: &[(&str, &str)]) -> Value {
    let project = Bugsink::shared().project();
    let service = env.iter().fold(Service::new(binary), |service, (key, value)| service.env(key, *value));
    let service = service.env("SENTRY_DSN", &project.dsn).start();
    run(service.client(), json!([]), json!({"error": "no stock"}));
    // A stack that is not resolved when the service stops is omitted.
    project.wait_events(1, std::time::Duration::from_secs(60));
    service.stop();
    project.events().remove(0)
}

fn frames(event: &Value) -> Vec<Value> {
    let error = exceptions(event).last().copied().cloned().unwrap_or_default();
    error["stacktrace"]["frames"].as_array().expect("the error has a stack").clone()
}

fn in_app(frames: &[Value]) -> Vec<&Value> {
    frames.iter().filter(|frame| frame["in_app"] == true).collect()
}

/// The output of a program of binutils.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("binutils are installed with the C compiler");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn address(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("a hexadecimal address");
    u64::from_str_radix(text, 16).expect("a hexadecimal address")
}

#[test]
fn a_split_debug_file_names_the_frames_of_a_stripped_binary() {
    let directory = Scratch::new("debug-file");
    let binary = directory.path().join("probe-app");
    std::fs::copy(probe_app(), &binary).expect("the binary can be copied");
    let path = binary.to_str().expect("UTF-8");
    output(scratch::workspace().join("deploy/debug-files/split").to_str().expect("UTF-8"), &[path]);
    // Beside the binary it would be found there.
    let debug = directory.path().join("elsewhere.debug");
    std::fs::rename(directory.path().join("probe-app.debug"), &debug).expect("the file can be moved");

    let event = event(&binary, &[]);
    let notes = output("readelf", &["-n", path]);
    let build_id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).expect("it has a build id");
    let images = event["debug_meta"]["images"].as_array().expect("the event has images");
    let image = images.iter().find(|image| image["code_id"] == build_id).expect("one is the binary");
    assert_eq!((&image["type"], &image["name"]), (&json!("symbolic"), &json!(path)), "{image}");

    let frames = frames(&event);
    let own = in_app(&frames);
    assert!(own.iter().all(|frame| frame["package"] == path && frame["image_addr"] == image["image_addr"]), "{own:?}");
    assert!(own.iter().all(|frame| frame.get("function").is_none()), "{own:?}");
    let offset = |frame: &&Value| address(&frame["instruction_addr"]) - address(&frame["image_addr"]);
    let offsets: Vec<String> = own.iter().map(|frame| format!("{:#x}", offset(frame))).collect();
    let debug = debug.to_str().expect("UTF-8");
    let mut arguments = vec!["-f", "-C", "-e", debug];
    arguments.extend(offsets.iter().map(String::as_str));
    let names = output("addr2line", &arguments);
    assert!(names.contains("system_tests::probe::run"), "{names}");
    assert!(frames.iter().all(|frame| frame["function"] != "clone3" || frame["in_app"] == false), "{frames:?}");
}

#[test]
fn only_the_workspace_is_in_app_unless_settings_say_otherwise() {
    let names = |env: &[(&str, &str)]| {
        let event = event(probe_app(), env);
        let frames = frames(&event);
        assert!(frames.iter().all(|frame| frame["context_line"].is_null()), "only in development");
        let module = |frame: &&Value| frame["module"].as_str().unwrap_or_default().to_owned();
        in_app(&frames).iter().map(module).collect::<Vec<_>>()
    };
    let default = names(&[]);
    assert!(!default.is_empty() && default.iter().all(|module| module == "system_tests::probe"), "{default:?}");
    let changed =
        names(&[("APP__SENTRY__IN_APP_INCLUDE", "actix-web"), ("APP__SENTRY__IN_APP_EXCLUDE", "system_tests::probe")]);
    assert!(!changed.is_empty() && changed.iter().all(|module| module.starts_with("actix_web")), "{changed:?}");
}

#[test]
fn frames_have_source_lines_in_development() {
    let event = event(probe_app(), &[("APP__ENV", "dev")]);
    let frames = frames(&event);
    let own = in_app(&frames);
    let shown = own.iter().filter(|frame| frame["context_line"].is_string()).collect::<Vec<_>>();
    assert!(!shown.is_empty() && shown.iter().all(|frame| frame["pre_context"].is_array()), "{own:?}");
    assert!(frames.iter().all(|frame| frame["in_app"] == true || frame["context_line"].is_null()), "{frames:?}");
}
