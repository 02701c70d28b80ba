//! Whose sessions are shown to whom, and ended by whom.

use anyhow::{Context, Result};
use lab::harness::Scenario;
use lab::{Lab, USER, scenario};
use serde_json::Value;

use crate::common::PATIENCE;
use crate::scene::{Scene, id, listed, says};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(nobody_sees_or_ends_sessions_of_others_and_root_only_when_all_are_asked_for)]
}

fn nobody_sees_or_ends_sessions_of_others_and_root_only_when_all_are_asked_for(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    scene.stock()?;
    scene.server.command("mosh-server").args(["new", "-i", "0.0.0.0"]).run(PATIENCE)?;
    let seen = |user, options| listed(&scene.server, user, options);
    let only =
        |mut sessions: Vec<Value>| sessions.pop().filter(|_| sessions.is_empty()).context("one session");
    let alices = only(seen(USER, &[])?)?;
    let roots = only(seen("root", &[])?)?;
    assert_eq!((&alices["user"], &roots["user"]), (&"alice".into(), &"root".into()));
    assert_eq!(seen("root", &["--all"])?.len(), 2);
    let table = says(&scene.server, "root", &["list", "--all"])?.stdout;
    assert!(table.contains("USER") && table.contains(" alice ") && table.contains(" root "), "{table}");

    let refused = says(&scene.server, USER, &["list", "--all"])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    for (user, session) in [(USER, &roots), ("root", &alices)] {
        let said = says(&scene.server, user, &["close", id(session)])?;
        assert_eq!(said.status.code(), Some(2), "{said:?}");
    }
    assert_eq!(seen("root", &["--all"])?.len(), 2);
    let closed = says(&scene.server, "root", &["close", "--all", id(&alices)])?;
    assert_eq!(closed.status.code(), Some(0), "{closed:?}");
    assert_eq!((seen(USER, &[])?.len(), seen("root", &["--all"])?.len()), (0, 1));
    Ok(())
}
