//! `lab list`

pub(crate) fn run() -> anyhow::Result<()> {
    for lab in lab::find_labs()? {
        let owner = lab.owner.map_or_else(|| "an unknown process".to_owned(), |pid| format!("process {pid}"));
        let state = if lab.alive { "in use by" } else { "abandoned by" };
        println!("{}  {state} {owner}", lab.path.display());
    }
    Ok(())
}
