//! What is made from the tree of commands: completions and the manual.

use std::io;
use std::path::Path;

use clap_complete::Shell;

use crate::cli;
use crate::failure::Failure;

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "inat", &mut script);
    Ok(io::Write::write_all(&mut io::stdout().lock(), &script)?)
}

pub(super) fn man(folder: Option<&Path>) -> Result<(), Failure> {
    let mut command = cli::command();
    if let Some(folder) = folder {
        return std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .map_err(|error| Failure::files(folder.display().to_string(), error));
    }
    command.build();
    let mut pages = Vec::new();
    clap_mangen::Man::new(command).render(&mut pages)?;
    Ok(io::Write::write_all(&mut io::stdout().lock(), &pages)?)
}
