//! Writes every sample page and the assets into a folder, to be opened in a browser.
//!
//! `cargo run -p meydan-web --example samples -- <folder>`

use std::{env, fs, io, path::Path};

use meydan_web::{Locale, Theme, samples};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| "samples".to_owned());
    let folder = Path::new(&folder);
    for locale in Locale::ALL {
        for theme in Theme::ALL {
            let place = folder.join(format!("{}-{}", locale.code(), theme.code()));
            fs::create_dir_all(&place)?;
            for sample in samples::all(locale, theme) {
                fs::write(place.join(format!("{}.html", sample.name)), sample.html)?;
            }
        }
    }
    let assets = folder.join("static");
    fs::create_dir_all(&assets)?;
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    for file in fs::read_dir(built)? {
        let file = file?;
        fs::copy(file.path(), assets.join(file.file_name()))?;
    }
    fs::write(folder.join("policy.txt"), meydan_web::assets::content_security_policy())
}
