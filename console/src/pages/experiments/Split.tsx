import type { Variant } from '../../api/types';
import { percent } from '../../format/number';
import './split.css';

/** The variants by their weight; the control is hatched. */
export function Split({ variants }: { readonly variants: readonly Variant[] }) {
  const total = variants.reduce((sum, variant) => sum + variant.weight, 0) || 1;
  const text = variants.map((variant) => `${variant.key} ${percent(variant.weight / total, 0)}`).join(', ');
  return (
    <span className="q-split" title={text}>
      <span className="q-split-bar" role="img" aria-label={text}>
        {variants.map((variant, index) => (
          <span
            key={variant.key}
            className={variant.control ? 'q-split-control' : 'q-split-variant'}
            style={{ width: `${((variant.weight / total) * 100).toFixed(2)}%`, opacity: variant.control ? 1 : Math.max(0.5, 1 - index * 0.14) }}
          />
        ))}
      </span>
      <span className="q-split-text">{variants.map((variant) => percent(variant.weight / total, 0)).join(' / ')}</span>
    </span>
  );
}
