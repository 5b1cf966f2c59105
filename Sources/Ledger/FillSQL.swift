/// The statements of a filling.
enum FillSQL {
  static let begin = """
    INSERT INTO collection_fills AS fill (collection, began) VALUES ($1::text, clock_timestamp())
    ON CONFLICT (collection) DO UPDATE SET began = EXCLUDED.began RETURNING began::text
    """

  static let end = "DELETE FROM collection_fills WHERE collection = $1::text AND began::text = $2::text"

  static let table = """
    CREATE TEMP TABLE ferry_filled (
      id text PRIMARY KEY, number bigint NOT NULL UNIQUE, content bytea NOT NULL, fields bigint[] NOT NULL)
    """

  static let gather = """
    INSERT INTO ferry_filled (id, number, content, fields)
    SELECT id, $2::bigint + number, content, fields::bigint[]
    FROM unnest($1::text[], $3::bytea[], $4::text[]) WITH ORDINALITY AS new (id, content, fields, number)
    ON CONFLICT DO NOTHING
    """

  static let twice = """
    SELECT held.id, held.number, $2::bigint + new.number
    FROM unnest($1::text[]) WITH ORDINALITY AS new (id, number) JOIN ferry_filled held USING (id)
    WHERE held.number <= $2::bigint ORDER BY new.number LIMIT 1
    """

  // What is as it was is left out before: even an update that does nothing locks its row. In the order of ids, as those who
  // store at the same time do.
  static let bringIn = """
    INSERT INTO collection_records AS stored (collection, id, content, fields, layout)
    SELECT $1::text, given.id, given.content, given.fields, $4::smallint
    FROM ferry_filled given
    LEFT JOIN LATERAL (
      SELECT content, layout FROM collection_records row
      WHERE row.collection = $1::text AND row.id = given.id LIMIT 1) AS held ON true
    WHERE given.number > $2::bigint AND given.number <= $3::bigint
      AND (held.content IS NULL OR held.content <> given.content OR held.layout <> $4::smallint)
    ORDER BY given.id
    ON CONFLICT (collection, id) DO UPDATE
    SET content = EXCLUDED.content, fields = EXCLUDED.fields, layout = EXCLUDED.layout, stored = clock_timestamp()
    WHERE stored.stored < $5::timestamptz
    """

  // A page of the collection's ids, those of them that are gone, and how far it went.
  static let remove = """
    WITH page AS MATERIALIZED (
      SELECT id FROM collection_records WHERE collection = $1::text AND id > $2::text ORDER BY id LIMIT $3::int
    ), gone AS MATERIALIZED (
      SELECT id FROM page
      WHERE NOT coalesce((SELECT true FROM ferry_filled held WHERE held.id = page.id LIMIT 1), false)
    ), removed AS (
      DELETE FROM collection_records stored USING gone
      WHERE stored.collection = $1::text AND stored.id = gone.id AND stored.stored < $4::timestamptz RETURNING 1
    )
    SELECT (SELECT id FROM page ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM removed)
    """
}
