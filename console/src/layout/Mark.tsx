/** Quintet's mark: five bars, five questions. */
export function Mark({ size = 24 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--mantine-color-iris-7)" />
      <g fill="#fff">
        <rect x="6" y="13" width="2.6" height="6" rx="1.3" />
        <rect x="10.4" y="9" width="2.6" height="14" rx="1.3" />
        <rect x="14.7" y="5.5" width="2.6" height="21" rx="1.3" />
        <rect x="19" y="10.5" width="2.6" height="11" rx="1.3" />
        <rect x="23.4" y="13.5" width="2.6" height="5" rx="1.3" />
      </g>
    </svg>
  );
}
