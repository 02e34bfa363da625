package lifecycle

// Names in the OpenAPI document, where the types of all packages stand side by
// side.

// SchemaName is the type's name in the OpenAPI document.
func (Table) SchemaName() string { return "LifecycleTable" }

// SchemaName is the type's name in the OpenAPI document.
func (Rule) SchemaName() string { return "LifecycleRule" }

// SchemaName is the type's name in the OpenAPI document.
func (Group) SchemaName() string { return "LifecycleGroup" }

// SchemaName is the type's name in the OpenAPI document.
func (Condition) SchemaName() string { return "LifecycleCondition" }

// SchemaName is the type's name in the OpenAPI document.
func (Box) SchemaName() string { return "RFMBox" }

// SchemaName is the type's name in the OpenAPI document.
func (Range) SchemaName() string { return "RFMRange" }

// SchemaName is the type's name in the OpenAPI document.
func (RFM) SchemaName() string { return "RFMTable" }

// SchemaName is the type's name in the OpenAPI document.
func (Touch) SchemaName() string { return "CommerceMessage" }

// SchemaName is the type's name in the OpenAPI document.
func (Commerce) SchemaName() string { return "CommerceNames" }
