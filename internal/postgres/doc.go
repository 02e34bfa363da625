// Package postgres is Quintet's relational store: definitions, profiles, jobs and the
// audit trail live in Postgres 18.
//
// Where the server runs is one setting. With QUINTET_POSTGRES_URL it is any Postgres
// that pgx can reach; without, StartEmbedded runs the real server as a child process
// from the binaries that `make engines` installs. From there on nothing differs:
// OpenPool connects, Migrate brings the schema up to date.
//
// The embedded server is private to its parent. It listens on a free loopback port
// only, with a generated password; it is stopped when the parent closes it, when the
// parent dies (also by kill -9, on Linux) and, if all that failed, when the next parent
// starts on the same directory. Postgres refuses to run as root, so under root it runs
// as nobody, who owns its files and nothing else. A clone below a directory that nobody
// may not enter (/root, say) is what identity_linux.go deals with.
//
// In the data directory:
//
//	lock                held by the process that uses the directory
//	password            of the role "quintet", who owns the databases (mode 0600)
//	superuser-password  of the role "postgres", used for setting up only (mode 0600)
//	data                the cluster, made by initdb in one step: there or not there
//	lib                 links to shared libraries, if the installed ones are read-only
package postgres
