//! The service under a real supervisord that would capture an event from its output.

use std::time::Duration;

use system_tests::http::Client;
use system_tests::peers::supervisor::Supervisor;
use system_tests::peers::supervisor_conf::{Program, conf};
use system_tests::peers::venv;
use system_tests::scratch::{self, Scratch};
use system_tests::{ports, records, wait};

use crate::hostile::{attack, kinds};
use crate::line_limits::assert_within_limit;
use crate::probe_app;

const LISTENER: &str = include_str!("supervisord/listener.py");
const LIMIT: Duration = Duration::from_secs(60);
/// In this output supervisord finds an event: the listener works.
const GENUINE: &str = "printf '<!--XSUPERVISOR:BEGIN-->genuine<!--XSUPERVISOR:END-->'; exec sleep 600";

#[test]
fn a_client_cannot_forge_a_supervisord_event() {
    let scratch = Scratch::new("supervisord");
    let (port, management_port) = (ports::free(), ports::free());
    let [log, events, genuine] = ["app.log", "events", "genuine.sh"].map(|name| scratch.join(name));
    scratch::write(&scratch.join("listener.py"), LISTENER);
    scratch::write(&genuine, GENUINE);
    let capture = || vec!["stdout_capture_maxbytes=1MB".to_owned(), "stdout_logfile_maxbytes=0".to_owned()];
    let variables = [
        ("APP__SERVER__PORT", port.to_string()),
        ("APP__MANAGEMENT__PORT", management_port.to_string()),
        ("APP__DATABASE__URL", format!("sqlite://{}", scratch.join("app.db").display())),
        ("APP__LOG__REQUEST__BODY", "redacted".to_owned()),
        ("APP__LOG__FLOOD__LIMIT", "1000".to_owned()),
    ];
    let probe = Program {
        environment: variables.map(|(key, value)| (key.to_owned(), value)).to_vec(),
        stdout_logfile: Some(log.clone()),
        extra: capture(),
        ..Program::new("probe", &probe_app().display().to_string())
    };
    let genuine = Program { extra: capture(), ..Program::new("genuine", &format!("sh {}", genuine.display())) };
    let (python, script) = (venv::python().display(), scratch.join("listener.py"));
    let listener = format!(
        "[eventlistener:listener]\ncommand={python} {} {}\nevents=PROCESS_COMMUNICATION\n",
        script.display(),
        events.display()
    );
    let supervisor = Supervisor::start(scratch.path(), &(conf(&[probe, genuine]) + "\n" + &listener));
    let live = Client::new(management_port).get("/health/live");
    wait::until("the probe to be live", LIMIT, || live.clone().try_send().ok().filter(|reply| reply.status == 200));

    let sent = attack(Client::new(port));
    supervisor.ctl(&["stop", "probe"]);
    let heard = wait::until("supervisord to capture an event", LIMIT, || {
        let heard = std::fs::read_to_string(&events).ok()?;
        heard.contains("genuine").then_some(heard)
    });
    assert_eq!(heard.matches("eventname:").count(), 1, "an event of the client: {heard}");
    let written = scratch::read(&log);
    assert_within_limit(&written);
    assert_eq!(kinds(&records::parse_all(&written)), sent, "each record is one line");
}
