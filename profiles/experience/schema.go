package experience

// Names in the OpenAPI document, where the types of all packages stand side by
// side.

// SchemaName is the type's name in the OpenAPI document.
func (Report) SchemaName() string { return "ExperienceReport" }

// SchemaName is the type's name in the OpenAPI document.
func (Row) SchemaName() string { return "ExperienceRow" }

// SchemaName is the type's name in the OpenAPI document.
func (Cohort) SchemaName() string { return "RetentionCohort" }

// SchemaName is the type's name in the OpenAPI document.
func (Return) SchemaName() string { return "RetentionReturn" }

// SchemaName is the type's name in the OpenAPI document.
func (Spend) SchemaName() string { return "MarketingSpend" }

// SchemaName is the type's name in the OpenAPI document.
func (spendRequest) SchemaName() string { return "MarketingSpendRequest" }

// SchemaName is the type's name in the OpenAPI document.
func (spendAnswer) SchemaName() string { return "MarketingSpendAnswer" }
