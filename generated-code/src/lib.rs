//! Empty. The test of this crate compiles the `.proto` files of the workspace and compares what comes out
//! with the committed files below `src/generated` of each crate. After a change of a `.proto` file, write
//! them anew with `HEDDLE_WRITE_GENERATED=yes cargo test -p generated-code`.
