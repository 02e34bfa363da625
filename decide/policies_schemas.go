package decide

// Names of schemas in the description of the API, where the name of the type alone would
// say too little beside those of other packages.

// SchemaName implements [api.SchemaNamer].
func (Health) SchemaName() string { return "PolicyHealth" }

// SchemaName implements [api.SchemaNamer].
func (Band) SchemaName() string { return "RewardBand" }

// SchemaName implements [api.SchemaNamer].
func (Bin) SchemaName() string { return "PolicyCalibrationBin" }

// SchemaName implements [api.SchemaNamer].
func (Comparison) SchemaName() string { return "CandidateComparison" }

// SchemaName implements [api.SchemaNamer].
func (Promotion) SchemaName() string { return "PolicyPromotion" }

// SchemaName implements [api.SchemaNamer].
func (Posterior) SchemaName() string { return "PolicyPosterior" }

// SchemaName implements [api.SchemaNamer].
func (ModelState) SchemaName() string { return "PolicyModel" }

// SchemaName implements [api.SchemaNamer].
func (VersionComparison) SchemaName() string { return "PolicyVersionComparison" }
