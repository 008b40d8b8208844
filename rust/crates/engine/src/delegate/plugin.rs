//! A delegate out of a library with the plugin entry points.

use super::abi::{Create, Delegate, Destroy};
use libloading::Library;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{CStr, CString, c_char};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// A delegate; destroyed when dropped, which must be after the interpreter that uses it.
pub struct Plugin {
    delegate: NonNull<Delegate>,
    destroy: Destroy,
    // Stays loaded: drivers start threads and register handlers that outlive their delegates.
    _library: ManuallyDrop<Library>,
}

// SAFETY: a delegate has no thread affinity; it is used only inside calls to the interpreter
// that it was given to, and dropped by the same owner.
unsafe impl Send for Plugin {}

thread_local! {
    /// What the plugin said last while it was asked for a delegate.
    static COMPLAINT: RefCell<String> = const { RefCell::new(String::new()) };
}

// SAFETY: only plugins call it, with a C string or null.
unsafe extern "C" fn keep_complaint(text: *const c_char) {
    if text.is_null() {
        return;
    }
    // SAFETY: plugins give a C string that lives during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    COMPLAINT.with(|kept| {
        if let Ok(mut kept) = kept.try_borrow_mut() {
            text.trim().clone_into(&mut kept);
        }
    });
}

impl Plugin {
    /// Opens `library` (a path, or a name on the loader's search path) and asks it for a
    /// delegate. The error is one line.
    pub fn create(library: &str, options: &BTreeMap<String, String>) -> Result<Self, String> {
        // SAFETY: the library's initialisers run. The appliance's description names it; it is
        // code of the image, as the runtime is.
        let opened = unsafe { Library::new(library) }.map_err(|error| {
            // The loader's own words are in the source; they usually start with the name.
            let reason = error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string);
            if reason.starts_with(library) {
                reason
            } else {
                format!("{library}: {reason}")
            }
        })?;
        let opened = ManuallyDrop::new(opened);
        let lacks = |symbol: &str| format!("{library} is no delegate: it has no {symbol}");
        // SAFETY: the signatures are those of TFLite's plugin interface.
        let (create, destroy) = unsafe {
            let create = opened
                .get::<Create>("tflite_plugin_create_delegate")
                .map_err(|_| lacks("tflite_plugin_create_delegate"))?;
            let destroy = opened
                .get::<Destroy>("tflite_plugin_destroy_delegate")
                .map_err(|_| lacks("tflite_plugin_destroy_delegate"))?;
            (*create, *destroy)
        };
        let texts = |text: &String| {
            CString::new(text.as_str()).map_err(|_| format!("delegate option `{text}` has a zero"))
        };
        let keys: Vec<CString> = options.keys().map(texts).collect::<Result<_, _>>()?;
        let values: Vec<CString> = options.values().map(texts).collect::<Result<_, _>>()?;
        let pointers =
            |texts: &[CString]| -> Vec<_> { texts.iter().map(|text| text.as_ptr()).collect() };
        let (key_pointers, value_pointers) = (pointers(&keys), pointers(&values));
        COMPLAINT.take();
        // SAFETY: both arrays have `options.len()` C strings that live during the call.
        let delegate = unsafe {
            create(
                key_pointers.as_ptr(),
                value_pointers.as_ptr(),
                options.len(),
                Some(keep_complaint),
            )
        };
        let complaint = COMPLAINT.take();
        let delegate = NonNull::new(delegate).ok_or_else(|| {
            if complaint.is_empty() {
                format!("{library} refused: it gave no delegate (no such hardware, or no driver)")
            } else {
                format!("{library} refused: {complaint}")
            }
        })?;
        let plugin = Self {
            delegate,
            destroy,
            _library: opened,
        };
        // SAFETY: the plugin made it, and nobody else has it yet.
        if unsafe { delegate.as_ref() }.prepare.is_none() {
            return Err(format!("{library} gave a delegate without a Prepare"));
        }
        Ok(plugin)
    }

    pub fn as_ptr(&self) -> *mut Delegate {
        self.delegate.as_ptr()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // SAFETY: made by the same plugin, destroyed once, here; the owner has dropped the
        // interpreter before.
        unsafe { (self.destroy)(self.delegate.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_are_no_delegates_are_refused_with_a_reason() {
        for (library, reason) in [
            ("/nonexistent/libteflon.so", "/nonexistent/libteflon.so: "),
            ("/dev/null", "/dev/null: "),
            ("libc.so.6", "has no tflite_plugin_create_delegate"),
        ] {
            let Err(text) = Plugin::create(library, &BTreeMap::new()) else {
                panic!("{library} was accepted")
            };
            assert!(text.contains(reason), "{text}");
        }
    }
}
