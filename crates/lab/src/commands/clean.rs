//! `lab clean`

pub(crate) fn run() -> anyhow::Result<()> {
    for cleaned in lab::clean()? {
        println!("removed {}", cleaned.lab.path.display());
        for pid in cleaned.killed {
            println!("  and killed its process {pid}, which should have ended by itself");
        }
    }
    Ok(())
}
