import { percent } from '../../format/number';
import { Terms } from '../../parts/Terms';
import { CopyButton } from '../../parts/CopyButton';
import { bodyOf, openIn, parts } from './draft';
import { Split } from './Split';
import type { StepProps } from './step';
import { methodWords } from './words';

export function ReviewStep({ draft }: StepProps) {
  const whole = parts.every((part) => openIn(draft, part).length === 0);
  const audience = draft.audienceKind === 'everybody' ? 'Everybody' : draft.audienceKind === 'segments' ? `People in ${draft.segments.join(' or ')}` : draft.condition;
  const body = whole ? bodyOf(draft) : undefined;
  return (
    <>
      <Terms
        entries={[
          ['Name', `${draft.name} (${draft.key})`],
          ['Hypothesis', draft.hypothesis === '' ? 'none' : draft.hypothesis],
          ['Acts on', draft.decisionPoint === '' ? 'a flag or another system' : draft.decisionPoint],
          ['Decides by', draft.metrics.join(', ')],
          ['Must not be harmed', draft.guardrails.length === 0 ? 'nothing is watched' : draft.guardrails.map(({ metric, marginPercent }) => `${metric} (−${marginPercent.toString()}%)`).join(', ')],
          ['Audience', `${audience}; ${percent(draft.coveragePercent / 100)} of them take part`],
          ['Holdouts', draft.holdouts.length === 0 ? 'none beside the universal one' : draft.holdouts.join(', ')],
          ['Split', <Split key="split" variants={draft.arms.map((arm) => ({ key: arm.key, weight: arm.percent / 100, control: arm.control }))} />],
          ['Analysis', `${methodWords({ method: draft.method, alpha: draft.alpha, looks: draft.looks })} Planned for ±${draft.effectPercent.toString()}%${draft.nStar > 1 ? ` with ${draft.nStar.toLocaleString('en-GB')} people` : ''}.`],
        ]}
      />
      {body !== undefined && (
        <div style={{ marginTop: 14 }}>
          <CopyButton label="Copy as JSON" text={() => JSON.stringify(body, null, 2)} />
        </div>
      )}
    </>
  );
}
