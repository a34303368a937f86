//! Clients generated from the API document: they compile, and run a scenario with a user and orders.

use system_tests::peers::{npm, venv};
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};
use system_tests::{binaries, process_guard};

use crate::succeed;

const PYTHON_SCENARIO: &str = include_str!("generated_clients/scenario.py");
const TYPESCRIPT_SCENARIO: &str = include_str!("generated_clients/scenario.ts");
const TYPESCRIPT_OPTIONS: &str = include_str!("generated_clients/tsconfig.json");

/// The app, and a directory with the API document that it serves.
#[track_caller]
fn start(name: &str) -> (Running, Scratch) {
    let app = Service::new(&binaries::app()).start();
    let scratch = Scratch::new(name);
    let served = app.get("/openapi.json").send();
    assert_eq!(served.status, 200);
    scratch::write(&scratch.join("openapi.json"), served.body);
    (app, scratch)
}

fn url(app: &Running) -> String {
    format!("http://127.0.0.1:{}", app.port)
}

#[test]
fn openapi_python_client_generates_a_typed_client_that_works() {
    let (app, scratch) = start("python-client");
    // By default it formats the code with additional programs.
    scratch::write(&scratch.join("options.yaml"), "post_hooks: []\n");
    scratch::write(&scratch.join("scenario.py"), PYTHON_SCENARIO);
    let python = |arguments: &[&str]| {
        let mut command = process_guard::command(venv::clients());
        command.args(arguments).current_dir(scratch.path());
        succeed(command, &scratch)
    };
    let generator = "-m openapi_python_client generate --path openapi.json --output-path client --meta none";
    let generator = format!("{generator} --config options.yaml --fail-on-warning");
    python(&generator.split(' ').collect::<Vec<_>>());
    python(&["-m", "mypy", "--strict", "client", "scenario.py"]);
    python(&["scenario.py", &url(&app)]);
}

#[test]
fn openapi_typescript_generates_types_that_compile_and_work() {
    let (app, scratch) = start("typescript-client");
    scratch::write(&scratch.join("scenario.ts"), TYPESCRIPT_SCENARIO);
    scratch::write(&scratch.join("tsconfig.json"), TYPESCRIPT_OPTIONS);
    scratch::write(&scratch.join("package.json"), r#"{"type": "module"}"#);
    npm::link_packages(scratch.path());

    let tool = |name: &str, arguments: &[&str]| {
        let mut command = npm::tool(name);
        command.args(arguments).current_dir(scratch.path());
        succeed(command, &scratch)
    };
    tool("openapi-typescript", &["openapi.json", "--output", "schema.ts"]);
    tool("tsc", &["--project", "."]);
    let mut scenario = npm::node();
    scenario.args(["built/scenario.js", &url(&app)]).current_dir(scratch.path());
    succeed(scenario, &scratch);
}
