//! Any bytes as a `.tflite`: an interface whose tensors have a size, or a reason.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    match edgeai_engine::verify(data) {
        Ok(interface) => {
            for tensor in interface.inputs.iter().chain(&interface.outputs) {
                assert!(tensor.bytes > 0, "{tensor:?}");
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
});
