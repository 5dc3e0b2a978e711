#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| quorate_server::request_parse(bytes));
