//! Other processes: this program once more, in another role.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{Fallible, cases, origin};

const ROLE: &str = "INAT_BENCH_ROLE";

/// What a child does with its arguments.
type Role = fn(&[String]) -> Fallible<()>;

const ROLES: [(&str, Role); 11] = [
    ("origin", origin::serve),
    ("start-ours", cases::start::ours),
    ("start-raw", cases::start::raw),
    ("peak-hits", cases::memory::hits),
    ("peak-blob", cases::memory::blob),
    ("stampede", cases::stampede::callers),
    ("reserve", cases::ledger::reserve),
    ("pace", cases::pace::send),
    ("proxy", cases::gateway::proxy),
    ("gateway", cases::gateway::gateway),
    ("nothing", |_| Ok(())),
];

/// Plays the role this process was started in, if it was started in one.
pub fn play() -> Option<Fallible<()>> {
    let name = std::env::var(ROLE).ok()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let role = ROLES.iter().find(|(role, _)| *role == name);
    Some(role.map_or_else(|| Err(format!("no role `{name}`").into()), |(_, play)| play(&arguments)))
}

/// A command that starts this program in a role.
pub fn command(role: &str, arguments: &[&str]) -> Fallible<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(ROLE, role).args(arguments);
    Ok(command)
}

/// Runs a child to its end; what it printed.
pub fn run(role: &str, arguments: &[&str]) -> Fallible<String> {
    let output = command(role, arguments)?.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the child `{role}` failed: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A child to talk with, line by line. Ended when dropped.
#[derive(Debug)]
pub struct Talking {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talking {
    pub fn start(role: &str, arguments: &[&str]) -> Fallible<Self> {
        let mut child = command(role, arguments)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take().ok_or("no output")?);
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// The next line it prints.
    pub fn line(&mut self) -> Fallible<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() { Err("a child ended early".into()) } else { Ok(line.trim().to_owned()) }
    }

    pub fn say(&mut self, line: &str) -> Fallible<()> {
        let input = self.input.as_mut().ok_or("no input")?;
        writeln!(input, "{line}")?;
        Ok(input.flush()?)
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        // Children that serve end when their input does; the others are done by now.
        self.input.take();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Several children that begin at the same moment; the line each of them ends with.
pub fn together(role: &str, arguments: &[&str], count: usize) -> Fallible<Vec<String>> {
    let mut children: Vec<Talking> = (0..count).map(|_| Talking::start(role, arguments)).collect::<Fallible<_>>()?;
    for child in &mut children {
        child.line()?;
    }
    for child in &mut children {
        child.say("go")?;
    }
    children.iter_mut().map(Talking::line).collect()
}

/// The other side of [`together`]: says that all is ready, and waits for the word.
pub fn ready() -> Fallible<()> {
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

/// Ends this process when whoever started it has ended, or wants it to.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}
