//! Forms with files: `multipart/form-data` (RFC 7578), with names written as browsers write them.

use bytes::{BufMut, Bytes, BytesMut};

use super::upload::Loaded;

/// The body of a form, and the `Content-Type` that names its boundary.
///
/// The boundary is a hash of the content, so that no file can hold it, and the same form is always the same bytes.
pub(crate) fn encode_multipart(fields: &[(String, String)], files: &[Loaded]) -> (String, Bytes) {
    let boundary = boundary(fields, files);
    let content: usize =
        files.iter().map(|file| file.bytes.len() + file.file_name.len() + file.field.len() + 256).sum();
    let texts: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 128).sum();
    let mut body = BytesMut::with_capacity(content + texts + 64);
    for (name, value) in fields {
        let name = escaped(name);
        body.put(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
        body.put(value.as_bytes());
        body.put(&b"\r\n"[..]);
    }
    for file in files {
        let (name, file_name) = (escaped(&file.field), escaped(&file.file_name));
        let disposition = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"");
        body.put(format!("--{boundary}\r\n{disposition}\r\nContent-Type: {}\r\n\r\n", file.content_type).as_bytes());
        body.put(&file.bytes[..]);
        body.put(&b"\r\n"[..]);
    }
    body.put(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.freeze())
}

fn boundary(fields: &[(String, String)], files: &[Loaded]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("inat-session 2026-11 boundary of a form");
    let mut part = |bytes: &[u8]| {
        // Lengths first, so that no two forms run together into one.
        hasher.update(&bytes.len().to_le_bytes()).update(bytes);
    };
    for (name, value) in fields {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    for file in files {
        for bytes in [file.field.as_bytes(), file.file_name.as_bytes(), file.content_type.as_bytes(), &file.bytes[..]] {
            part(bytes);
        }
    }
    data_encoding::HEXLOWER.encode(&hasher.finalize().as_bytes()[..20])
}

/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>: a quotation mark and the
/// ends of lines are percent-encoded, all else goes as UTF-8.
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(field: &str, file_name: &str, bytes: &[u8]) -> Loaded {
        Loaded {
            field: field.to_owned(),
            file_name: file_name.to_owned(),
            content_type: "image/jpeg".to_owned(),
            bytes: Bytes::copy_from_slice(bytes),
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        let fields = [("observation_photo[observation_id]".to_owned(), "1\r\n2".to_owned())];
        let (content_type, body) = encode_multipart(&fields, &[file("file", "a \"é\"\r\n.jpg", b"\x00--\r\n")]);
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert!(boundary.len() <= 70, "RFC 2046 §5.1.1");
        let expected = [
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"observation_photo[observation_id]\"\r\n\r\n"
            )
            .as_bytes(),
            b"1\r\n2\r\n",
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a %22é%22%0D%0A.jpg\"\r\n"
            )
            .as_bytes(),
            b"Content-Type: image/jpeg\r\n\r\n\x00--\r\n\r\n",
            format!("--{boundary}--\r\n").as_bytes(),
        ]
        .concat();
        assert_eq!(body, expected);
    }

    proptest! {
        #[test]
        fn parts_are_found_again(
            fields in prop::collection::vec((".{0,8}", ".{0,16}"), 0..4),
            files in prop::collection::vec((".{0,8}", prop::collection::vec(any::<u8>(), 0..64)), 0..3),
        ) {
            let files: Vec<_> = files.iter().map(|(name, bytes)| file(name, name, bytes)).collect();
            let (content_type, body) = encode_multipart(&fields, &files);
            prop_assert_eq!((&content_type, &body), (&encode_multipart(&fields, &files).0, &encode_multipart(&fields, &files).1));
            let boundary = content_type.rsplit_once('=').unwrap().1.as_bytes();
            let found = body.windows(boundary.len()).filter(|window| *window == boundary).count();
            prop_assert_eq!(found, fields.len() + files.len() + 1);
        }
    }
}
