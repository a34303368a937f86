//! Pinning of the server and the load generator to one core each.

use std::fs;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

#[derive(Clone, Copy)]
pub struct Cores {
    server: usize,
    load: usize,
}

impl Cores {
    /// Picks the first two cores that this process may use.
    pub fn pick() -> Result<Self, String> {
        let allowed = sched_getaffinity(None).map_err(|error| format!("cannot query the available cores: {error}"))?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(server), Some(load)) => Ok(Self { server, load }),
            _ => Err("the benchmark needs two cores, one for the server and one for the load generator, but this process may use only one; see `taskset -p $$`".into()),
        }
    }

    /// Pins this thread and its later children to the core of the load generator.
    pub fn pin_to_load_core(self) -> Result<(), String> {
        sched_setaffinity(None, &only(self.load)).map_err(|error| format!("cannot pin to core {}: {error}", self.load))
    }

    /// Pins all threads of a process to the core of the server; their later children inherit it.
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
