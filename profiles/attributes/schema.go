package attributes

// Names in the OpenAPI document, where the types of all packages stand side by
// side.

// SchemaName is the type's name in the OpenAPI document.
func (Status) SchemaName() string { return "AttributesStatus" }

// SchemaName is the type's name in the OpenAPI document.
func (AttributeStatus) SchemaName() string { return "AttributeStatus" }

// SchemaName is the type's name in the OpenAPI document.
func (Board) SchemaName() string { return "LifecycleBoard" }

// SchemaName is the type's name in the OpenAPI document.
func (Place) SchemaName() string { return "LifecyclePlace" }

// SchemaName is the type's name in the OpenAPI document.
func (Code) SchemaName() string { return "RFMCode" }

// SchemaName is the type's name in the OpenAPI document.
func (Matrix) SchemaName() string { return "LifecycleMatrix" }

// SchemaName is the type's name in the OpenAPI document.
func (Month) SchemaName() string { return "LifecycleMonth" }

// SchemaName is the type's name in the OpenAPI document.
func (Move) SchemaName() string { return "LifecycleMove" }

// SchemaName is the type's name in the OpenAPI document.
func (BuiltIn) SchemaName() string { return "BuiltInAttribute" }

// SchemaName is the type's name in the OpenAPI document.
func (Where) SchemaName() string { return "AttributeCondition" }

// SchemaName is the type's name in the OpenAPI document.
func (GridCell) SchemaName() string { return "RFMCell" }

// SchemaName is the type's name in the OpenAPI document.
func (StageCount) SchemaName() string { return "LifecycleStageCount" }
