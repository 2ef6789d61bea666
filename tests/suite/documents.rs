//! Documents that must keep up with the code and with each other.

use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a document")
}

#[test]
fn every_direct_dependency_is_explained_and_no_other() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let names = |table: &str| manifest[table].as_table().expect("dependencies").keys().cloned().collect::<Vec<_>>();
    let document = read("docs/dependencies.md");
    let mut explained: Vec<_> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect();
    let mut direct = [names("dependencies"), names("dev-dependencies")].concat();
    direct.sort();
    direct.dedup();
    explained.sort();
    assert_eq!(explained, direct);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned(), "CHANGELOG.md".to_owned()];
    for entry in fs::read_dir(root.join("docs")).expect("documents") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            documents.push(format!("docs/{name}"));
        }
    }
    let mut dead = Vec::new();
    for document in documents {
        let text = read(&document);
        let from = root.join(&document).parent().expect("a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or(target);
            if !file.is_empty() && !file.contains("://") && !from.join(file).exists() {
                dead.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
