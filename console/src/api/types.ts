// Shapes named by the route that answers with them, so that a renamed schema
// on the server shows up here and nowhere else.
import type { paths } from './schema';

type Json<R> = R extends { content: { 'application/json': infer T } } ? T : never;
type Get<P extends keyof paths> = paths[P] extends { get: { responses: { 200: infer R } } } ? Json<R> : never;
type Body<O> = O extends { requestBody: { content: { 'application/json': infer T } } } ? T : never;
type Item<T> = T extends { items: infer L } ? NonNullable<L> extends readonly (infer I)[] ? I : never : never;
type Of<L> = NonNullable<L> extends readonly (infer I)[] ? I : never;

export type Session = Get<'/auth/session'>;
export type ApiKey = Item<Get<'/v1/api-keys'>>;
export type NewApiKey = Body<paths['/v1/api-keys']['post']>;

export type Overview = Get<'/v1/overview'>;
export type MinuteCount = Of<Overview['decisionsPerMinute']>;

export type DecisionRow = Item<Get<'/v1/decisions'>>;
export type DecisionWhy = Get<'/v1/decisions/{id}'>;
export type DecisionRecord = DecisionWhy['record'];
export type Candidate = Of<DecisionRecord['candidates']>;

export type Experiment = Item<Get<'/v1/experiments'>>;
export type Variant = Of<Experiment['variants']>;
// The route writes texts as well.
export type Report = Exclude<Get<'/v1/experiments/{key}/report'>, string>;
export type Check = Of<Report['checks']>;
export type MetricReport = Of<Report['metrics']>;
export type Effect = Of<MetricReport['effects']>;
export type Estimate = NonNullable<Effect['absolute']>;

export type DecisionPoint = Item<Get<'/v1/decision-points'>>;
export type PointBody = Body<paths['/v1/decision-points/{key}']['put']>;
export type Activity = Get<'/v1/decision-points/{key}/activity'>;
export type ActivitySeries = Of<Activity['series']>;
export type Models = Get<'/v1/decision-points/{key}/models'>;

export type PolicyState = Get<'/v1/decision-points/{key}/policies'>;
export type CandidateState = Of<PolicyState['candidates']>;
export type Promotion = Of<PolicyState['promotions']>;
export type Posterior = Get<'/v1/decision-points/{key}/policies/posterior'>;
export type PolicyHealth = Get<'/v1/decision-points/{key}/policies/health'>;
export type CandidateComparison = Get<'/v1/decision-points/{key}/policies/candidates/{candidate}/comparison'>;
export type NewCandidate = Body<paths['/v1/decision-points/{key}/policies/candidates/{candidate}']['put']>;
export type DecidingPolicy = PolicyState['policy'];

export type ProfileRow = Item<Get<'/v1/profiles'>>;
export type Profile = Get<'/v1/profiles/{id}'>;
export type ProfileEvent = Of<Profile['events']>;
export type Identifier = Of<Profile['identifiers']>;

export type Holdout = Get<'/v1/holdouts/{key}'>;

export type Board = Get<'/v1/lifecycle/board'>;
export type Place = Of<Board['stages']>;
export type LifecycleTable = Get<'/v1/lifecycle'>;
export type LifecycleRule = Of<LifecycleTable['stages']>;
export type RfmTable = NonNullable<LifecycleTable['rfm']>;
export type RfmGrid = Get<'/v1/lifecycle/rfm'>;
export type RfmCode = Of<RfmGrid['codes']>;
export type RfmCuts = RfmGrid['cuts'];
export type MovesOfMonth = Of<Get<'/v1/lifecycle/matrix'>['months']>;

export type BuiltInAttribute = Item<Get<'/v1/attribute-catalogue'>>;
export type AttributesStatus = Get<'/v1/attribute-status'>;
export type AttributeDefinition = Item<Get<'/v1/attributes'>>;
export type NewAttribute = Body<paths['/v1/attributes/{key}']['put']>;

export type ExperienceReport = Get<'/v1/experience'>;
export type ExperienceRow = Of<ExperienceReport['rows']>;
export type RetentionCohort = Of<ExperienceReport['cohorts']>;
export type ExperienceSettings = Get<'/v1/experience/settings'>;
export type MarketingSpend = Item<Get<'/v1/marketing-spend'>>;

export type Segment = Get<'/v1/segments/{key}'>;
export type SegmentBody = Body<paths['/v1/segments/{key}']['put']>;
export type SegmentVersion = Item<Get<'/v1/segments/{key}/versions'>>;
export type SegmentFilter = Item<Get<'/v1/segment-filters'>>;
export type FilterParameter = Of<SegmentFilter['parameters']>;
export type SegmentEstimate = Json<paths['/v1/segments/estimate']['post']['responses'][200]>;

export type PersonIdentity = Get<'/v1/profiles/{id}/identity'>;
export type BaseIdentity = Of<PersonIdentity['profiles']>;
export type IdentityEdge = Of<PersonIdentity['edges']>;
export type ConsentCard = Get<'/v1/profiles/{id}/consents'>;
export type ConsentState = Of<ConsentCard['purposes']>;
export type ConsentEvidence = Of<ConsentCard['statements']>;
export type Statement = Of<Body<paths['/v1/profiles/{id}/consents']['post']>['statements']>;
export type TraitFact = Of<Profile['lineage']>;
export type PersonAttributes = Get<'/v1/profiles/{id}/attributes'>;

export type ImportJob = Item<Get<'/v1/imports'>>;
export type Webhook = Item<Get<'/v1/webhooks'>>;
export type WebhookBody = Body<paths['/v1/webhooks/{key}']['put']>;
export type WebhookTrial = Body<paths['/v1/webhooks/{key}/test']['post']>;
export type WebhookTrialResult = Json<paths['/v1/webhooks/{key}/test']['post']['responses'][200]>;
export type TriedMessage = Of<WebhookTrialResult['messages']>;
export type ConsoleUser = Item<Get<'/v1/users'>>;
export type NewUser = Body<paths['/v1/users']['post']>;
export type NamedRole = Item<Get<'/v1/users/roles'>>;
export type RoleBody = Body<paths['/v1/roles/{key}']['put']>;
export type MaskRule = Of<NonNullable<RoleBody['masks']>>;
export type AuditEntry = Item<Get<'/v1/audit'>>;
export type IdentityRules = Get<'/v1/identity-rules'>;
export type NewIdentityRules = Body<paths['/v1/identity-rules']['put']>;

export type Erasure = Item<Get<'/v1/erasures'>>;
export type ErasureProof = Get<'/v1/erasures/{id}/proof'>;
export type RetentionRule = Item<Get<'/v1/retention'>>;
export type RetentionRuleBody = Body<paths['/v1/retention/{key}']['put']>;
export type RetentionRun = Item<Get<'/v1/retention-runs'>>;
export type RetentionEffect = Item<Get<'/v1/retention-plan'>>;

/** A source; no day of it has a score before its first one is computed. */
export type EventSource = Omit<Item<Get<'/v1/sources'>>, 'score'> & { readonly score: SourceScore | null };
export type FieldQuality = Item<Get<'/v1/sources/{id}/fields'>>;
export type SourceScore = Item<Get<'/v1/sources/{id}/scores'>>;
export type Quarantined = Get<'/v1/quarantine/{id}'>;
export type QuarantineFilter = NonNullable<Body<paths['/v1/quarantine/discard']['post']>['filter']>;
export type EventSchema = Item<Get<'/v1/event-schemas'>>;
export type EventSchemaBody = Body<paths['/v1/event-schemas/{key}']['put']>;
export type EventSchemaField = EventSchemaBody['fields'][string];

export type Metric = Item<Get<'/v1/metrics'>>;
export type MetricBody = Body<paths['/v1/metrics/{key}']['put']>;
export type MetricVersion = Item<Get<'/v1/metrics/{key}/versions'>>;

export type ExperimentBody = Body<paths['/v1/experiments/{key}']['put']>;
export type Recommendation = Report['recommendation'];
export type GuardrailReport = Of<Report['guardrails']>;
export type SeriesPoint = Of<MetricReport['series']>;
export type Change = Item<Get<'/v1/experiments/{key}/changes'>>;

export type Flag = Item<Get<'/v1/flags'>>;
export type FlagBody = Body<paths['/v1/flags/{key}']['put']>;
export type FlagRule = Of<FlagBody['rules']>;
export type Cap = Item<Get<'/v1/caps'>>;
export type CapBody = Body<paths['/v1/caps/{key}']['put']>;
export type QuietHours = Item<Get<'/v1/quiet-hours'>>;
export type QuietBody = Body<paths['/v1/quiet-hours/{key}']['put']>;
export type Budget = Item<Get<'/v1/budgets'>>;
export type BudgetBody = Body<paths['/v1/budgets/{key}']['put']>;
export type HoldoutRow = Item<Get<'/v1/holdouts'>>;
export type HoldoutBody = Body<paths['/v1/holdouts/{key}']['put']>;
export type PlanRequest = Body<paths['/v1/experiment-plan']['post']>;
export type PlanAnswer = Json<paths['/v1/experiment-plan']['post']['responses'][200]>;
export type ExperimentRow = Item<Get<'/v1/experiments'>>;
export type Baseline = Get<'/v1/metrics/{key}/baseline'>;
export type GuardrailBody = Of<ExperimentBody['guardrails']>;
export type HoldoutUnit = Get<'/v1/holdouts/{key}/units/{unit}'>;
export type AssignmentAudit = Get<'/v1/experiments/{key}/assignment'>;
export type Programme = Get<'/v1/programme'>;

export type Campaign = Item<Get<'/v1/campaigns'>>;
export type DryRun = Json<paths['/v1/campaigns/{key}/dry-run']['post']['responses'][200]>;
export type CampaignBody = Body<paths['/v1/campaigns/{key}']['put']>;
export type CampaignRun = Item<Get<'/v1/campaigns/{key}/runs'>>;
export type DueCampaign = Item<Get<'/v1/campaign-calendar'>>;
export type Scenario = Item<Get<'/v1/scenarios'>>;
export type ScenarioBody = Body<paths['/v1/scenarios/{key}']['put']>;
export type ScenarioNode = Of<ScenarioBody['nodes']>;
export type ScenarioProgress = Get<'/v1/scenarios/{key}/progress'>;
export type ScenarioRun = Get<'/v1/scenario-runs/{id}'>;
export type ScenarioTemplate = Item<Get<'/v1/scenario-templates'>>;
export type OutboundMessage = Item<Get<'/v1/campaigns/{key}/messages'>>;
