function OnStoredInstance(id, tags, metadata, origin) SendToModality(id, 'pneumo') end
