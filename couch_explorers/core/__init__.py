"""Generate one picture: the only code that ships inside the Lambdas.

Standard library and boto3 only. A job (`jobs`) names an image model (`image_models`); `generation` asks Bedrock for the
picture and stores it; `png` writes the picture's parameters into it; `errors` names all that can go wrong.
"""
