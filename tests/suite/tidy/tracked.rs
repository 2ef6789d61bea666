//! What is in the repository.

use std::path::Path;
use std::process::Command;

/// Whether a file lies where compilers write: in a directory `target`.
fn is_made_by_compilers(path: &str) -> bool {
    Path::new(path).parent().is_some_and(|directory| directory.iter().any(|part| part == "target"))
}

/// Nothing where the source is not a checkout, as in an archive of a release.
fn tracked() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join(".git").exists() {
        return Vec::new();
    }
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().expect("git runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8_lossy(&listed.stdout).split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn nothing_that_compilers_made_is_in_the_repository() {
    let made: Vec<_> = tracked().into_iter().filter(|path| is_made_by_compilers(path)).collect();
    assert!(made.is_empty(), "{} files that compilers made, such as {:?}", made.len(), made.first());
    for path in ["target/debug/factoryd", "fuzz/target/CACHEDIR.TAG"] {
        assert!(is_made_by_compilers(path), "{path}");
    }
    for path in ["src/target.rs", "fuzz/fuzz_targets/template_parser.rs", "docs/target"] {
        assert!(!is_made_by_compilers(path), "{path}");
    }
}
