"""The prompts that the exam's text proposes, by the names it gives them."""

SAMPLE_PROMPTS = {
    "Vintage Paris Trip": (
        "Show me sitting at a classic Parisian café with the Eiffel Tower in the background, a coffee and "
        "croissant on the table. The image should have an old polaroid filter, with soft faded tones and a sunbeam"
        " lightly hitting the Eiffel Tower."
    ),
    "Sunset Safari": (
        "Place me in a jeep on an African savanna with lions and elephants in the background under a golden "
        "sunset. Use an analog 1980s photo effect with warm color tones, and give it a grainy texture for an "
        "authentic safari experience."
    ),
    "Mountain Adventure": (
        "Create a realistic image of me standing on the edge of a cliff with dramatic, snow-capped mountains "
        "stretching out behind me. Add a soft orange glow in the sky to mimic early morning light, and give the "
        "image a slightly grainy, retro film effect."
    ),
}
