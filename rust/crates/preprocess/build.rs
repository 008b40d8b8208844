//! Says whether this compiler has the instructions of AVX-512: since Rust 1.89. The workspace is for 1.88, which
//! Buildroot 2026.02 has.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(avx512)");
    println!("cargo::rerun-if-changed=build.rs");
    if autocfg::new().probe_rustc_version(1, 89) {
        println!("cargo::rustc-cfg=avx512");
    }
}
