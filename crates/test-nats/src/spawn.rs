//! Processes that the kernel kills when the test is killed (PDEATHSIG).
//!
//! The signal is sent when the *thread* ends that started the process, and threads of a runtime's pool end when they
//! have nothing to do for a while. So one thread that never ends starts all of them.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};

/// A command and where its process goes.
type Job = (Command, Sender<io::Result<Child>>);

/// Starts a process from a thread that lives as long as the test.
pub fn spawn(command: Command) -> io::Result<Child> {
    static JOBS: OnceLock<Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, started) in jobs {
                // Whoever asked waits for it.
                started.send(command.spawn()).ok();
            }
        });
        sender
    });
    let (sender, started) = mpsc::channel();
    jobs.send((command, sender))
        .map_err(|_| io::Error::other("the thread that starts processes is gone"))?;
    started
        .recv()
        .map_err(|_| io::Error::other("the thread that starts processes is gone"))?
}
