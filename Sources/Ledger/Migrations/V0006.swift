/// Entries of records that older programs stored. The step is recorded when the last one is renewed: until then roles say that
/// the schema is too old, and another `ferry migrate` goes on where one was cut off.
let v0006 = Migration(version: 6, name: "index entries renewed", statements: [], work: renewEntries)
