//! The pass over sections: what is found with the help of words.

use super::words::sections;
use super::{address, birth, national, network, person, wallet};
use crate::data_plane::dlp::finding::Finding;

/// Adds personal data that words or check digits tell.
pub(super) fn scan(text: &str, findings: &mut Vec<Finding>) {
    sections(text, |section| {
        national::scan(section, findings);
        network::scan(section, findings);
        wallet::scan(section, findings);
        birth::scan(section, findings);
        person::scan(section, findings);
        address::scan(section, findings);
    });
}
