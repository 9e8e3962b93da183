import type { ViewPlaces } from '../../kernels/image/view-grey.js';

/** A view of pictures of any size: where its pixels are read in them. */
export type View = (height: number, width: number) => ViewPlaces;
