package assignment

// Names of units that are found under several names.
const (
	Device  = "device"
	Session = "session"
	Account = "account"
)

// UnitNames are the names of identifiers and of fields of the context that give a
// unit: the first that is there wins. Those that are empty are no names.
func UnitNames(unit string) [3]string {
	switch unit {
	case Device:
		return [3]string{"deviceId", Device, "anonymousId"}
	case Session:
		return [3]string{"sessionId", Session}
	case Account:
		return [3]string{"accountId", Account}
	}
	return [3]string{unit}
}
