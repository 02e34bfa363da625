package clickhouse

const childRole = "QUINTET_CLICKHOUSE_CHILD"

func runChild(role string) int { return 2 }
