import { Skeleton } from '@mantine/core';

/** Rows of a table that is on its way. */
export function SkeletonRows({ rows = 6 }: { readonly rows?: number }) {
  return (
    <div style={{ padding: '4px 16px 12px' }}>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={14} my={13} width={`${(96 - ((row * 37) % 23)).toString()}%`} radius="sm" />
      ))}
    </div>
  );
}

/** A block of a chart or a text that is on its way. */
export function SkeletonBlock({ height }: { readonly height: number }) {
  return <Skeleton height={height} radius="md" />;
}
