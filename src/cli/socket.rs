//! Which socket the daemon listens on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the packaged daemon listens.
const SYSTEM: &str = "/run/factoryd/control.sock";
/// Where a user's own daemon listens, below `XDG_RUNTIME_DIR`.
const USER: &str = "factoryd/control.sock";

/// The socket that was named (`--socket`, else `NG_SOCKET`), else the first of the usual places where something is.
pub(super) fn find(named: Option<PathBuf>) -> PathBuf {
    choose(named, runtime_dir(), |path| path.exists())
}

fn choose(named: Option<PathBuf>, runtime_dir: Option<OsString>, exists: impl Fn(&Path) -> bool) -> PathBuf {
    if let Some(named) = named.filter(|path| !path.as_os_str().is_empty()) {
        return named;
    }
    let system = PathBuf::from(SYSTEM);
    let user = runtime_dir.filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(dir).join(USER));
    match user {
        Some(user) if !exists(&system) && exists(&user) => user,
        _ => system,
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of XDG_RUNTIME_DIR; NG_SOCKET comes through clap")]
fn runtime_dir() -> Option<OsString> {
    std::env::var_os("XDG_RUNTIME_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_where_something_is_wins() {
        let user = "/run/user/7/factoryd/control.sock";
        type Case<'a> = (Option<&'a str>, Option<&'a str>, &'a [&'a str], &'a str);
        let cases: &[Case<'_>] = &[
            (Some("/n"), Some("/run/user/7"), &[SYSTEM, user], "/n"),
            (Some(""), None, &[SYSTEM], SYSTEM),
            (None, Some("/run/user/7"), &[SYSTEM, user], SYSTEM),
            (None, Some("/run/user/7"), &[user], user),
            (None, Some("/run/user/7"), &[], SYSTEM),
            (None, Some(""), &[], SYSTEM),
        ];
        for (named, dir, there, want) in cases {
            let got =
                choose(named.map(PathBuf::from), dir.map(OsString::from), |p| there.iter().any(|t| p == Path::new(t)));
            assert_eq!(got, PathBuf::from(want), "{named:?} {dir:?} {there:?}");
        }
    }
}
