import sharp from "sharp";

export async function thumbnail(picture: ArrayBuffer): Promise<Uint8Array> {
  return await sharp(picture).resize(320).toBuffer();
}
