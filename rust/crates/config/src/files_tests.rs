use super::*;
use std::fs;

const IMAGE: &str = "camera = { device = '/dev/video0', size = [320, 240] }
model = { file = 'image' }
deadline = { frame_to_action_ms = 100 }
[[service]]
name = 'image'
exec = ['/bin/image']
";

/// A directory of its own for each test; removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("edgeai-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_valid_owners_file_replaces_the_images_but_not_its_services() {
    let directory = Directory::new("owner");
    let image = directory.write("image.toml", IMAGE);
    let text = IMAGE
        .replace("'image'", "'owner'")
        .replace("/bin/image", "/bin/owner");
    let owner = directory.write("owner.toml", text);
    let effective = effective(&image, &owner).unwrap();
    assert_eq!(effective.source, owner);
    assert_eq!(effective.refused, None);
    assert_eq!(effective.appliance.models[0].file, "owner");
    assert_eq!(effective.appliance.services[0].exec, ["/bin/image"]);
}

#[test]
fn a_missing_owners_file_is_no_mistake() {
    let directory = Directory::new("missing");
    let image = directory.write("image.toml", IMAGE);
    let effective = effective(&image, &directory.0.join("none/owner.toml")).unwrap();
    assert_eq!((effective.source, effective.refused), (image, None));
}

#[test]
fn a_wrong_owners_file_is_refused() {
    let directory = Directory::new("refused");
    let image = directory.write("image.toml", IMAGE);
    let wrong = directory.write("wrong.toml", IMAGE.replace("100", "0"));
    let latin = directory.write("latin.toml", b"# ok\n# \xe4\n");
    let large = directory.write("large.toml", vec![b'\n'; (1 << 20) + 1]);
    for (owner, place) in [
        (&wrong, "3:35"),
        (&latin, "2:3"),
        (&large, "1:1"),
        (&directory.0, "1:1"),
    ] {
        let effective = effective(&image, owner).unwrap();
        let refused = effective.refused.expect("refused").to_string();
        assert!(
            refused.starts_with(&format!("{}:{place}: ", owner.display())),
            "{refused}"
        );
        assert_eq!(effective.source, image);
        assert_eq!(effective.appliance.models[0].file, "image");
    }
}

#[test]
fn a_wrong_image_file_is_an_error_even_beside_a_good_owners_file() {
    let directory = Directory::new("image");
    let good = directory.write("good.toml", IMAGE);
    let error = effective(&directory.0.join("none.toml"), &good).unwrap_err();
    assert!(error.message.contains("no such file"), "{error}");
}

#[test]
fn models_are_searched_in_order() {
    let directory = Directory::new("models");
    let (data, share) = (directory.0.join("data"), directory.0.join("share"));
    fs::create_dir_all(data.join("both")).unwrap();
    fs::create_dir_all(share.join("both")).unwrap();
    let find = |file| model_directory_in(&[&data, &share], file);
    assert_eq!(find("both"), data.join("both"));
    assert_eq!(find("image-only"), share.join("image-only"));
    assert_eq!(find("/opt/model"), Path::new("/opt/model"));
}

#[test]
fn a_models_name_cannot_leave_its_directory() {
    for name in ["ssd_v2.1-int8", "/absolute/path"] {
        assert!(is_model_name(name), "{name}");
    }
    for name in ["", "..", "../x", "a/b", ".hidden", "ä"] {
        assert!(!is_model_name(name), "{name}");
    }
}
