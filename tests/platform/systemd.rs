//! The unit files of deploy/systemd under a real systemd: installed and run by the commands of docs/OPERATIONS.md.

mod deployed;
mod doctor;
mod lifecycle;
mod load;
mod restarts;
mod split;
mod unit_files;
mod watchdog;
