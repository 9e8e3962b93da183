import { readGolden } from './golden-files.js';
import type { ModelGolden, PassGolden } from './model-golden.js';

/** What make_convnext.py writes: PyTorch's answers for a ConvNeXt of hashed weights. */
export interface ConvNeXtGolden extends ModelGolden {
  readonly eval: PassGolden & { readonly features: readonly (readonly number[])[] };
  /** timm's name of each of torchvision's parameters, where the answers are torchvision's. */
  readonly torchvision?: Readonly<Record<string, string>>;
}

const read = (arch: string) => readGolden<ConvNeXtGolden>(`${arch}.json.gz`);

export const CONVNEXT_GOLDENS: readonly ConvNeXtGolden[] = [
  'convnext_tiny',
  'convnext_base',
  'convnext_atto_ols',
  'convnextv2_atto',
  'convnextv2_tiny',
].map(read);

/** ConvNeXtV2-base at 512 pixels: 80 GMACs, four times as many with gradients. */
export const LARGE_CONVNEXT_GOLDEN = read('convnextv2_base');
