//! Which core is the server's, and which the load's.

use std::fs;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

#[derive(Clone, Copy)]
pub struct Cores {
    server: usize,
    load: usize,
}

impl Cores {
    /// The first two cores that this process may use.
    pub fn pick() -> Result<Self, String> {
        let allowed = sched_getaffinity(None).map_err(|error| format!("cannot ask for the cores: {error}"))?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(server), Some(load)) => Ok(Self { server, load }),
            _ => Err("the bench needs two cores, one for the server and one for the load, and this process may use but one: see `taskset -p $$`".into()),
        }
    }

    /// Puts this thread, and what it starts, onto the load's core.
    pub fn pin_to_load_core(self) -> Result<(), String> {
        sched_setaffinity(None, &only(self.load)).map_err(|error| format!("cannot pin to core {}: {error}", self.load))
    }

    /// Puts all threads of a process onto the server's core; threads that they start later are there, too.
    pub fn pin_to_server_core(self, pid: u32) -> Result<(), String> {
        let failed =
            |error: &dyn std::fmt::Display| format!("cannot pin process {pid} to core {}: {error}", self.server);
        for thread in fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| failed(&error))? {
            let thread = thread.map_err(|error| failed(&error))?.file_name();
            let id = thread.to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
            if let Err(error) = sched_setaffinity(id, &only(self.server))
                && error != rustix::io::Errno::SRCH
            {
                return Err(failed(&error));
            }
        }
        Ok(())
    }
}

fn only(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}
